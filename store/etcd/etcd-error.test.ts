import { etcdError } from './etcd-error.ts';

describe('errors of etcd', () => {
  it.each([
    [11, 'etcdserver: mvcc: required revision has been compacted', 'compacted', 'compacted', false],
    [11, 'etcdserver: mvcc: required revision is a future revision', 'futureRevision', 'unavailable', false],
    [8, 'etcdserver: mvcc: database space exceeded', 'noSpace', 'storeReadOnly', false],
    [3, 'etcdserver: request is too large', 'tooLarge', 'tooLarge', false],
    [3, 'etcdserver: too many operations in txn request', 'tooLarge', 'tooLarge', false],
    [8, 'etcdserver: too many requests', 'busy', 'queueFull', false],
    [16, 'etcdserver: invalid auth token', 'refused', 'permissionDenied', false],
    [3, 'etcdserver: user name is empty', 'refused', 'permissionDenied', false],
    [15, 'etcdserver: corrupt cluster', 'corrupt', 'storeCorrupt', false],
    [14, 'No connection established. Last error: connect ECONNREFUSED', 'unreachable', 'unavailable', false],
    [4, 'Deadline exceeded after 2.000s,Waiting for LB pick', 'unreachable', 'unavailable', false],
    [14, 'Channel closed before call started', 'unreachable', 'unavailable', false],
    [1, 'it has fallen silent', 'unreachable', 'unavailable', true],
    [14, 'Connection dropped', 'unreachable', 'unavailable', true],
    [14, 'etcdserver: request timed out', 'unreachable', 'unavailable', true],
    [14, 'etcdserver: leader changed', 'unreachable', 'unavailable', true],
    [4, 'Deadline exceeded after 7.000s', 'timeout', 'deadline', true],
    [13, 'Received RST_STREAM with code 2', 'other', 'unavailable', true],
  ])('maps status %d "%s" to %s, %s, sent: %s', (code, details, reason, appCode, sent) => {
    expect(etcdError({ code, details }, 'Txn at etcd a:1')).toMatchObject({
      reason,
      code: appCode,
      sent,
      message: expect.stringContaining(`Txn at etcd a:1: ${details}`),
    });
  });

  it('says what to do about a full database and a request that is too large', () => {
    const message = (code: number, details: string): string => etcdError({ code, details }, 'Txn').message;
    expect(message(8, 'etcdserver: mvcc: database space exceeded')).toMatch(
      /--quota-backend-bytes.*by themselves.*raise the quota/,
    );
    expect(message(3, 'etcdserver: request is too large')).toMatch(/--max-request-bytes or --max-txn-ops/);
  });
});
