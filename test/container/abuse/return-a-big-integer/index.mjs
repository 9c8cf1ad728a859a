export function execute() {
  return { answer: 42n };
}
