import { operatorHelp, parseOperatorOptions } from './options.ts';

const parse = (argv: string[], env: Record<string, string> = {}) => {
  const options = parseOperatorOptions(argv, env);
  if (options === 'help') throw new Error('help was not asked for');
  return options;
};

describe('operator options', () => {
  it('has defaults for everything', () => {
    expect(parse([])).toMatchObject({
      httpAddresses: ['http://127.0.0.1:8500'],
      watchNamespaces: [],
      namespaces: 'single',
      maxSweepShare: 0.5,
      leaderElect: true,
      leaseName: 'lictor-operator',
      leaseMs: 15_000,
      metricsAddress: { host: '0.0.0.0', port: 8580 },
      logLevel: 'info',
    });
  });

  it('takes several addresses, Go’s one-dash flags and a bare boolean', () => {
    const options = parse(['-http-addr=a:1,b:2', '--http-addr', 'https://c:3', '--leader-elect', '-namespace', 'shop']);
    expect(options.httpAddresses).toEqual(['http://a:1', 'http://b:2', 'https://c:3']);
    expect(options).toMatchObject({ leaderElect: true, watchNamespaces: ['shop'] });
    expect(parse(['--metrics-addr', 'off']).metricsAddress).toBeUndefined();
    expect(parse(['--metrics-addr', '[::1]:0']).metricsAddress).toEqual({ host: '::1', port: 0 });
  });

  it('prefers a flag to LICTOR_ names and those to Consul’s', () => {
    const env = { CONSUL_HTTP_ADDR: 'consul:1', LICTOR_HTTP_ADDR: 'lictor:1', CONSUL_HTTP_TOKEN: 't' };
    expect(parse([], { CONSUL_HTTP_ADDR: 'consul:1' }).httpAddresses).toEqual(['http://consul:1']);
    expect(parse([], env)).toMatchObject({ httpAddresses: ['http://lictor:1'], httpToken: 't' });
    expect(parse(['--http-addr', 'flag:1'], env).httpAddresses).toEqual(['http://flag:1']);
  });

  it.each([
    [['--worker', '3'], /unknown option '--worker'/],
    [['extra'], /extra/],
    [['--workers', '1.5'], /--workers="1.5": a whole number/],
    [['--max-sweep-share', '2'], /--max-sweep-share="2": a number from 0 to 1/],
    [['--namespaces', 'both'], /--namespaces="both": use single or mirror/],
    [['--leader-elect=maybe'], /--leader-elect="maybe": use true or false/],
    [['--log-level', 'loud'], /--log-level="loud": use trace, debug, info, warn or error/],
    [['--owner', 'prod'], /--owner="prod": write <kind>\/<name>/],
    [['--metrics-addr', '8080'], /--metrics-addr="8080": write host:port, :port or off/],
    [['--namespace', 'a', '--watch-namespaces', 'b'], /exclude each other/],
    [['--watch-namespaces', 'Shop'], /--watch-namespaces="Shop"/],
    [['--http-addr', 'ftp://x'], /"ftp:\/\/x" is no HTTP address/],
  ])('refuses %j', (argv, text) => {
    expect(() => parse(argv)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringMatching(text) }),
    );
  });

  it('explains every flag', () => {
    expect(parseOperatorOptions(['-h'], {})).toBe('help');
    expect(operatorHelp()).toContain('--max-sweep-share <share>');
  });
});
