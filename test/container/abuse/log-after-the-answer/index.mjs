export function execute() {
  setTimeout(() => {
    for (let index = 0; index < 500; index++) console.log('too late');
  }, 300);
  console.log('in time');
  return 'done';
}
