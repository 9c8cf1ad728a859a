export const execute = () => ({ text: '\u{1F600}'.repeat(5_000) });
