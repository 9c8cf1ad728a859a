export async function execute() {
  for (let index = 0; index < 3000; index++) process.emitWarning(`warning ${index} ${'w'.repeat(200)}`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  return 'warned';
}
