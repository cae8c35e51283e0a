import { ServedServer } from '../../test/support/served-server.ts';

describe('intentions of another datacenter', () => {
  let server: ServedServer;
  beforeAll(async () => {
    server = await ServedServer.start();
  });
  afterAll(() => server.stop());

  const EXACT = '/v1/connect/intentions/exact?source=a&destination=b';
  const elsewhere = { status: 500, text: 'No path to datacenter' };

  it('are neither written nor told of here', async () => {
    expect(await server.call(`PUT ${EXACT}&dc=dc9`, { Action: 'allow' })).toMatchObject(elsewhere);
    expect(await server.call(`GET ${EXACT}`)).toMatchObject({ status: 404 });
    expect(await server.call('POST /v1/connect/intentions?dc=dc9', {})).toMatchObject(elsewhere);
    expect(await server.call(`PUT ${EXACT}&dc=dc1`, { Action: 'allow' })).toMatchObject({ status: 200 });
    for (const line of [
      `GET ${EXACT}&dc=dc9`,
      `DELETE ${EXACT}&dc=dc9`,
      'GET /v1/connect/intentions/check?source=a&destination=b&dc=dc9',
    ]) {
      expect(await server.call(line)).toMatchObject(elsewhere);
    }
    expect(await server.call(`GET ${EXACT}`)).toMatchObject({ status: 200 });
  });
});
