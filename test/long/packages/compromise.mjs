import nlp from 'compromise';

export const execute = () => ({
  past: nlp('She sells seashells').sentences().toPastTense().text(),
  people: nlp('Ada Lovelace wrote to Charles Babbage.').people().out('array'),
});
