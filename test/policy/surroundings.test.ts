import { describe, expect, test } from 'vitest';
import { PluginManifestSchema } from '../../src/manifest/schema.ts';
import { checkPolicy } from '../../src/policy/load.ts';
import { resolveOrThrow } from '../../src/policy/resolve.ts';
import { MINIMAL } from '../manifest/sample.ts';

function grantOf(policy: object, network: unknown = true) {
  const checked = checkPolicy({ allow: { bridge: true }, ...policy });
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
  const manifest = PluginManifestSchema.parse({ ...MINIMAL, name: 'one', permissions: { network } });
  return resolveOrThrow(manifest, checked.value, null).grant;
}

function problemsOf(policy: object): readonly string[] {
  const checked = checkPolicy(policy);
  return checked.ok ? [] : checked.problems.map(({ path, message }) => `${path}: ${message}`);
}

describe('a time zone', () => {
  test.each(['UTC', 'Europe/Zurich', 'Asia/Calcutta', 'Asia/Kolkata', 'Etc/GMT+5', 'US/Pacific', 'EST5EDT'])(
    '%s is granted, with a network or without',
    (time_zone) => {
      expect(grantOf({ time_zone }).timeZone).toBe(time_zone);
      expect(grantOf({ time_zone }, false).timeZone).toBe(time_zone);
    },
  );

  test.each(['europe/zurich', '+02:00', 'Mars/Base', '', 'UTC\n', '../etc', 'Europe/Zurich ', ':UTC'])(
    '%j is refused, with what was expected',
    (time_zone) => {
      expect(problemsOf({ time_zone })).toEqual([expect.stringMatching(/^time_zone: .*"Europe\/Zurich"/)]);
    },
  );

  test('of one plugin overrides that of all', () => {
    const policy = { time_zone: 'Europe/Zurich', plugins: { one: { time_zone: 'Asia/Tokyo' } } };
    expect(grantOf(policy).timeZone).toBe('Asia/Tokyo');
  });
});

describe('a locale', () => {
  test.each(['de-CH', 'fr', 'zh-Hant-TW', 'es-419', 'pt-BR'])('%s is granted', (locale) => {
    expect(grantOf({ locale }).locale).toBe(locale);
  });

  test.each(['de_CH', 'de_CH.UTF-8', 'DE-ch', 'xx-YY', 'C', 'de-CH-u-nu-latn', '', 'en-US;x'])(
    '%j is refused',
    (locale) => {
      expect(problemsOf({ locale })).toEqual([expect.stringMatching(/^locale: .*"de-CH"/)]);
    },
  );

  test('is that of Node when none is set', () => {
    expect(grantOf({}).locale).toBeNull();
  });
});

describe('a proxy', () => {
  test.each([
    ['http://proxy.example.org:3128', 'http://proxy.example.org:3128'],
    ['http://proxy.example.org:3128/', 'http://proxy.example.org:3128'],
    ['https://PROXY.example.org', 'https://proxy.example.org'],
    ['http://10.0.0.7:8080', 'http://10.0.0.7:8080'],
    ['http://[fd00::7]:8080', 'http://[fd00::7]:8080'],
  ])('%s is granted to plugins with a network', (url, granted) => {
    expect(grantOf({ proxy: { url } }).proxy).toEqual({ url: granted, exceptions: [] });
    expect(grantOf({ proxy: { url } }, false).proxy).toBeNull();
  });

  test.each([
    'proxy.example.org:3128',
    'socks5://proxy.example.org',
    'file:///etc/passwd',
    'http://proxy.example.org/path',
    'http://proxy.example.org?x',
    'http://proxy.example.org#x',
    'http://',
    'http://a b',
    '',
  ])('%j is refused', (url) => {
    expect(problemsOf({ proxy: { url } })).toEqual([expect.stringMatching(/^proxy\.url: .*such as/)]);
  });

  test('with a password is refused, because the plugin could read it, and the password is not repeated', () => {
    for (const rest of ['', '/path', '?x']) {
      const url = `http://me:hunter2@proxy.example.org:3128${rest}`;
      const [problem = ''] = problemsOf({ proxy: { url } });
      expect(problem).toMatch(/the plugin could read/);
      expect(problem).not.toContain('hunter2');
    }
  });

  test.each(['example.org', '.example.org', '*.example.org', 'host:8080', '10.0.0.7', '[fd00::7]:80', '*'])(
    'is not used for %s if the policy says so',
    (exception) => {
      const proxy = { url: 'http://proxy.test:1', no_proxy: [exception] };
      expect(grantOf({ proxy }).proxy?.exceptions).toEqual([exception]);
    },
  );

  test.each(['a,b', 'a b', 'http://x', '', 'a\nb', '10.0.0.0/8'])('refuses the exception %j', (exception) => {
    expect(problemsOf({ proxy: { url: 'http://proxy.test:1', no_proxy: [exception] } })).toHaveLength(1);
  });

  test('can be turned off for one plugin', () => {
    const policy = { proxy: { url: 'http://proxy.test:1' }, plugins: { one: { proxy: false } } };
    expect(grantOf(policy).proxy).toBeNull();
  });
});
