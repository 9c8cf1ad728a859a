import iconv from 'iconv-lite';

export const execute = () => ({
  japanese: iconv.decode(Buffer.from('93fa967b', 'hex'), 'Shift_JIS'),
  western: iconv.encode('1 €', 'win1252').toString('hex'),
});
