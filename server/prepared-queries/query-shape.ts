import { BOOL, fields, listOf, mapOf, maybe, NAME, NUMBER, TEXT } from '../catalog/record-shape.ts';

const TEXTS = maybe(listOf(TEXT));
const MAP = maybe(mapOf(TEXT));

/** What a stored query has to be to be listed and executed. */
export const QUERY = fields({
  id: NAME,
  content: fields({
    Name: TEXT,
    Session: TEXT,
    Token: TEXT,
    Template: fields({ Type: TEXT, Regexp: TEXT, RemoveEmptyTags: BOOL }),
    Service: fields({
      Service: TEXT,
      Namespace: maybe(TEXT),
      SamenessGroup: maybe(TEXT),
      Failover: fields({ NearestN: NUMBER, Datacenters: TEXTS, Targets: maybe(listOf(fields({}))) }),
      OnlyPassing: BOOL,
      IgnoreCheckIDs: TEXTS,
      Near: TEXT,
      Tags: TEXTS,
      NodeMeta: MAP,
      ServiceMeta: MAP,
      Connect: BOOL,
      Peer: maybe(TEXT),
    }),
    DNS: fields({ TTL: TEXT }),
  }),
});

/** Under the name of a query lies its id. */
export const QUERY_NAME = NAME;
