export function execute() {
  const error = new Error('\u202egnihtyreve si siht\u202c \u200b\u2066\ufeff\u{e0041}end');
  error.name = 'E\u200brror';
  throw error;
}
