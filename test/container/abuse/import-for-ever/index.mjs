export async function execute() {
  for (let index = 0; ; index++) {
    await import(`data:text/javascript,export default "${'x'.repeat(100_000)}${index}"`);
  }
}
