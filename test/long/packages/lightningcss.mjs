import { transform } from 'lightningcss';

export const execute = () =>
  transform({
    filename: 'a.css',
    code: Buffer.from('.a { color: #ff0000; & .b { margin: 0px } }'),
    minify: true,
  }).code.toString();
