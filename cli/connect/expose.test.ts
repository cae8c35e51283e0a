import { withService } from './expose.ts';

const web = { service: 'web', port: 80, protocol: 'http' };

describe('a service on a listener of an ingress gateway', () => {
  it('gets a listener of its own where there is none on its port', () => {
    expect(withService({}, web)).toEqual([{ Port: 80, Protocol: 'http', Services: [{ Name: 'web' }] }]);
  });

  it('joins those of its port, once, and gets new hosts', () => {
    const first = withService({}, { ...web, host: ['a'] });
    const both = withService({ Listeners: first }, { ...web, service: 'api' });
    expect(both).toEqual([{ Port: 80, Protocol: 'http', Services: [{ Name: 'web', Hosts: ['a'] }, { Name: 'api' }] }]);
    expect(withService({ Listeners: both }, { ...web, host: ['b'] })[0]!.Services).toEqual([
      { Name: 'web', Hosts: ['b'] },
      { Name: 'api' },
    ]);
    expect(withService({ Listeners: both }, web)[0]!.Services![0]).toEqual({ Name: 'web', Hosts: ['a'] });
  });

  it('is refused where the port speaks something else', () => {
    const tcp = withService({}, { ...web, protocol: 'tcp' });
    expect(() => withService({ Listeners: tcp }, web)).toThrow(/port 80 speaks tcp, not http; choose another -port/);
  });
});
