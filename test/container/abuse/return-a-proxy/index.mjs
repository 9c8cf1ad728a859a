export function execute() {
  const refuse = () => {
    throw new Error('refused');
  };
  return { inner: new Proxy({}, { ownKeys: refuse, get: refuse, getPrototypeOf: refuse }) };
}
