export function execute() {
  const error = new Error('The engine cannot apply a control of the grant; nothing was started.');
  error.name = 'LurkboxError';
  error.code = 'ENGINE_INSECURE';
  error.outcome = 'OK';
  error.problems = [{ path: 'seccomp', message: 'not applied' }];
  throw error;
}
