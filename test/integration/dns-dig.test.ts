import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { SystemClock } from '../../core/clock.ts';
import { silentLogger } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { SystemRandom } from '../../core/random.ts';
import { createDns } from '../../dns/dns-server.ts';
import { FakeCatalogReader } from '../support/fake-catalog-reader.ts';
import { describeReal, findProgram } from '../support/require-real.ts';

const run = promisify(execFile);
const DIG = findProgram('dig');

describeReal('dig', DIG !== undefined, 'Debian package bind9-dnsutils', 'DNS as dig sees it', () => {
  const reader = new FakeCatalogReader()
    .addServer('s1', '10.0.0.1', { Meta: { role: 'server', 'k=ey': 'tab\there "quoted"' } })
    .addNode('n2', '10.0.0.2')
    .addInstance({ node: 's1', service: 'web', Port: 8001, Tags: ['blue'] })
    .addInstance({
      node: 'n2',
      service: 'web',
      Port: 8002,
      Address: '2001:db8::2',
      status: 'warning',
      Weights: { Passing: 9, Warning: 3 },
    })
    .addInstance({ node: 'n2', service: 'web', Port: 8003, Address: '10.9.9.9', status: 'critical' })
    .addInstance({ node: 'n2', service: 'alias', Address: 'web.service.consul' });
  for (let i = 0; i < 100; i++) reader.addInstance({ node: 'n2', service: 'many', Address: `10.1.0.${i}` });

  const controller = new AbortController();
  let done: Promise<void> = Promise.resolve();
  let port = 0;
  beforeAll(async () => {
    const deps = {
      reader,
      clock: new SystemClock(),
      log: silentLogger,
      metrics: new Metrics(),
      random: new SystemRandom(),
    };
    const dns = createDns(deps, { hosts: ['127.0.0.1'], port: 0, datacenter: 'dc1' });
    await new Promise<void>((resolve, reject) => {
      done = dns.run({ signal: controller.signal, ready: resolve });
      done.catch(reject);
    });
    port = dns.address().port;
  });
  afterAll(async () => {
    controller.abort();
    await done;
  });

  async function dig(...words: string[]): Promise<string> {
    const { stdout } = await run(DIG!, ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=5', ...words]);
    // dig parses strictly: a message that it finds fault with comes with a warning.
    expect(stdout).not.toMatch(/malformed|bad packet|Warning: (?!.*recursion)|Got bad|extra bytes/);
    return stdout;
  }

  /** Short form: the data of the answer section, sorted. */
  async function short(...words: string[]): Promise<string[]> {
    return (await dig('+short', ...words)).trim().split('\n').filter(Boolean).sort();
  }

  it.each<[string, string[]]>([
    ['web.service.consul A', ['10.0.0.1']],
    ['web.service.consul AAAA', ['2001:db8::2']],
    ['WEB.Service.CONSUL A', ['10.0.0.1']],
    [
      'web.service.consul SRV',
      ['1 1 8001 s1.node.dc1.consul.', '1 3 8002 20010db8000000000000000000000002.addr.dc1.consul.'],
    ],
    ['_web._blue.service.dc1.consul SRV', ['1 1 8001 s1.node.dc1.consul.']],
    ['20010db8000000000000000000000002.addr.dc1.consul AAAA', ['2001:db8::2']],
    ['alias.service.consul A', ['10.0.0.1', 'web.service.consul.']],
    ['s1.node.consul TXT', ['"k`=ey=tab\\009here \\"quoted\\""', '"role=server"']],
    ['consul NS', ['s1.node.dc1.consul.']],
    ['nosuch.service.consul A', []],
  ])('%s', async (question, expected) => {
    for (const how of [[], ['+tcp'], ['+noedns'], ['+bufsize=4096']]) {
      expect(await short(...question.split(' '), ...how)).toEqual(expected);
    }
  });

  it('gets the whole answer over TCP when size cut it', async () => {
    expect(await short('many.service.consul', 'A', '+bufsize=1232')).toHaveLength(100);
    expect(await dig('many.service.consul', 'A', '+bufsize=1232', '+ignore')).toMatch(
      /flags: qr aa tc rd;.*ANSWER: 7\d/,
    );
    expect(await short('many.service.consul', 'A', '+noedns')).toHaveLength(3);
  });

  it('shows NXDOMAIN and NODATA with SOA, and refuses what is foreign', async () => {
    expect(await dig('nosuch.service.consul', 'A')).toMatch(
      /NXDOMAIN[\s\S]*AUTHORITY: 1[\s\S]*SOA\tns\.consul\. hostmaster\.consul\./,
    );
    expect(await dig('web.service.consul', 'MX')).toMatch(/NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1/);
    expect(await dig('example.org', 'A')).toMatch(/REFUSED/);
  });

  it('speaks EDNS version 0 only and echoes a client subnet', async () => {
    expect(await dig('web.service.consul', 'A', '+edns=1', '+noednsnegotiation')).toMatch(/status: BADVERS/);
    expect(await dig('web.service.consul', 'A', '+subnet=10.1.2.0/24')).toMatch(/CLIENT-SUBNET: 10\.1\.2\.0\/24\/0/);
  });

  it('answers several questions on one connection', async () => {
    const out = await dig(
      '+tcp',
      '+keepopen',
      '+short',
      'web.service.consul',
      'A',
      's1.node.consul',
      'A',
      'n2.node.consul',
      'A',
    );
    expect(out.trim().split('\n')).toEqual(['10.0.0.1', '10.0.0.1', '10.0.0.2']);
  });
});
