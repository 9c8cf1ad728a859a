export function execute() {
  for (let ms = 1e6; ; ms++) setTimeout(() => {}, ms);
}
