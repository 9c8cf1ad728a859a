/** A rejection for each would settle the execution; so all of them are thrown as one. */
export function execute() {
  const refuse = () => {
    throw new Error('trap');
  };
  const error = new Error('hidden');
  for (const name of ['message', 'name', 'stack', 'cause', 'toString', 'toJSON', 'constructor']) {
    Object.defineProperty(error, name, { get: refuse });
  }
  throw error;
}
