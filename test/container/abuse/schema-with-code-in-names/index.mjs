export const execute = () => 'checked';
