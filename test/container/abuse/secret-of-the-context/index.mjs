export function execute({ inputData }) {
  const error = new Error('failed');
  error.cause = inputData.secret;
  error.request = { headers: { authorization: inputData.secret } };
  throw error;
}
