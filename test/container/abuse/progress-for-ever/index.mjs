export function execute(_context, host) {
  setInterval(() => host.progress(0.5, 'nearly there'), 50);
  return new Promise(() => {});
}
