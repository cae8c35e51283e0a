import { ACL_ENDPOINTS } from '../../routes/acl-routes.ts';
import { type OperationGroup, plain } from '../operation.ts';

/** Consul HTTP API, "ACLs". */
export const ACL: OperationGroup = {
  name: 'Access control',
  about:
    'There is no access control yet: each of these answers 401 with `ACL support disabled`, as Consul does without it.',
  operations: ACL_ENDPOINTS.flatMap(([path, ...methods]) =>
    methods.map((method) =>
      plain(method, path.replace(/:(\w+)/g, '{$1}'), 'Answers that access control is off', {
        answers: {},
        errors: { 401: ['ACL support disabled'] },
      }),
    ),
  ),
};
