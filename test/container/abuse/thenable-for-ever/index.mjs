export function execute() {
  // biome-ignore lint/suspicious/noThenProperty: that is the attack
  const promising = { then: (resolve) => resolve(promising) };
  return promising;
}
