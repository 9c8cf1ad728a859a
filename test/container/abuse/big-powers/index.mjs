export function execute() {
  let number = 3n;
  for (;;) number *= number;
}
