import { ServedServer } from '../../test/support/served-server.ts';

describe('a key that is read by the same URL again and again', () => {
  it('is answered as it is at that moment, through changes, removal and return', async () => {
    const served = await ServedServer.start();
    const read = () => served.call('GET /v1/kv/a?raw');
    expect((await read()).status).toBe(404);
    let index = 0;
    for (const value of ['1', '2', '3']) {
      await served.call('PUT /v1/kv/a', value);
      for (let time = 0; time < 3; time++) {
        const answer = await read();
        expect(answer).toMatchObject({ status: 200, text: `"${value}"` });
        expect(answer.header('content-type')).toBe('text/plain');
        expect(answer.header('x-consul-knownleader')).toBe('true');
        expect(answer.header('x-consul-effective-consistency')).toBeNull();
        expect(answer.index).toBeGreaterThanOrEqual(index);
        index = answer.index;
      }
    }
    await served.call('DELETE /v1/kv/a');
    for (let time = 0; time < 3; time++) expect(await read()).toMatchObject({ status: 404, text: '' });
    expect((await read()).index).toBeGreaterThan(index);
    await served.call('PUT /v1/kv/a', '4');
    for (let time = 0; time < 3; time++) expect(await read()).toMatchObject({ status: 200, text: '"4"' });
    const whole = await served.call('GET /v1/kv/a');
    expect(JSON.parse((await served.call('GET /v1/kv/a')).text)).toEqual(JSON.parse(whole.text));
    await served.stop();
  });

  it('is answered with its bytes, whatever they are', async () => {
    const served = await ServedServer.start();
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    await fetch(`${served.origin}/v1/kv/bytes`, { method: 'PUT', body: bytes });
    for (let time = 0; time < 3; time++) {
      const answer = await fetch(`${served.origin}/v1/kv/bytes?raw`);
      expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes);
      expect(answer.headers.get('content-length')).toBe('256');
    }
    await served.stop();
  });
});
