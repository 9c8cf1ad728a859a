export async function execute() {
  throw Symbol('\u001b[31m');
}
