import TurndownService from 'turndown';

export const execute = () =>
  new TurndownService().turndown('<h1>Title</h1><p>See <a href="/a">this</a>.</p>');
