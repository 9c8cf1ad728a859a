export function execute() {
  const refuse = () => {
    throw new Error('refused');
  };
  const traps = Object.fromEntries(Reflect.ownKeys(Reflect).map((name) => [name, refuse]));
  throw new Proxy(() => {}, traps);
}
