export function execute() {
  let text = 'x';
  for (;;) {
    text += text;
    // Reading one character makes one piece of all of them.
    text.charCodeAt(text.length >> 1);
  }
}
