// Generated from crds/intention.yaml by `make crds`; change that file instead.
import type { ObjectMeta } from '../kubernetes-meta.ts';
import type { Condition } from './condition.ts';

/**
 * An Intention says which services may connect to one service. For a connection the most exact rule decides: names go
 * before "*", the destination's before the source's; without a rule the servers' default policy does.
 */
export interface Intention {
  /** The version of this schema, lictor.dev/v1alpha1. */
  apiVersion: 'lictor.dev/v1alpha1';
  /** Intention. */
  kind: 'Intention';
  /** Standard object metadata. */
  metadata: ObjectMeta;
  /** Who may connect to what. */
  spec: IntentionSpec;
  /** What became of the declaration, for people to read. Written by the operator. */
  status?: IntentionStatus;
}

/** Who may connect to what. */
export interface IntentionSpec {
  /** What is connected to. A destination is declared by one Intention: the oldest; others have no effect. */
  destination: IntentionSpecDestination;
  /** Who connects, each with what is decided; their order does not matter. */
  sources: IntentionSpecSource[];
  /** What every request to the destination must have, whoever it is from: a valid token. */
  jwt?: IntentionSpecJwt;
}

/** What is connected to. A destination is declared by one Intention: the oldest; others have no effect. */
export interface IntentionSpecDestination {
  /**
   * Name of the service in the catalog, in lower case, or "*" for every service that has no intentions of its own for
   * the source. It need not exist yet.
   */
  service: string;
}

/** One source and what is decided about it. */
export interface IntentionSpecSource {
  /** Name of the service in the catalog, in lower case, or "*" for every other one. */
  service: string;
  /** Name of the peer that the service belongs to; empty for a service of this cluster. Default: "". */
  peer?: string;
  /** Whether the source may connect. One of action and permissions is set. */
  action?: 'allow' | 'deny';
  /** A remark for people, shown with the intention. */
  description?: string;
  /**
   * What is decided about each HTTP request: the first permission that fits; for a request that fits none the servers'
   * default policy decides. The destination must be of protocol http, http2 or grpc by its service-defaults. One of
   * action and permissions is set.
   */
  permissions?: IntentionSpecSourcePermission[];
}

/** One kind of request and what is decided about it. */
export interface IntentionSpecSourcePermission {
  /** Whether such a request is let through. */
  action: 'allow' | 'deny';
  /** How the request must be; everything that is given must hold. */
  http?: IntentionSpecSourcePermissionHttp;
  /**
   * The request must have a valid token. jwt-provider entries at the servers say where it is and how it is verified.
   */
  jwt?: IntentionSpecSourcePermissionJwt;
}

/** How the request must be; everything that is given must hold. */
export interface IntentionSpecSourcePermissionHttp {
  /** The request has this path. */
  pathExact?: string;
  /** The path begins with this. */
  pathPrefix?: string;
  /** The whole path matches this regular expression (RE2). */
  pathRegex?: string;
  /** The request has one of these methods. Without it any. */
  methods?: ('GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'CONNECT' | 'OPTIONS' | 'TRACE')[];
  /** Headers of the request, all of which must fit. */
  header?: IntentionSpecSourcePermissionHttpHeader[];
}

/** How one header must be. */
export interface IntentionSpecSourcePermissionHttpHeader {
  /** Name of the header. */
  name: string;
  /** The header is there, whatever its value. */
  present?: boolean;
  /** The header has this value. */
  exact?: string;
  /** The value begins with this. */
  prefix?: string;
  /** The value ends with this. */
  suffix?: string;
  /** The value has this in it. */
  contains?: string;
  /** The whole value matches this regular expression (RE2). */
  regex?: string;
  /** Whether the opposite must hold. Default: false. */
  invert?: boolean;
  /** Whether upper and lower case are the same. Default: false. */
  ignoreCase?: boolean;
}

/** The request must have a valid token. jwt-provider entries at the servers say where it is and how it is verified. */
export interface IntentionSpecSourcePermissionJwt {
  /** The providers whose tokens count; a token of one of them is enough. */
  providers: IntentionSpecSourcePermissionJwtProvider[];
}

/** One provider and what its tokens must say. */
export interface IntentionSpecSourcePermissionJwtProvider {
  /** Name of a jwt-provider configuration entry at the servers. */
  name: string;
  /** Claims that a token must have, each with its value. */
  verifyClaims?: IntentionSpecSourcePermissionJwtProviderVerifyClaim[];
}

/** One claim. */
export interface IntentionSpecSourcePermissionJwtProviderVerifyClaim {
  /** The way to the claim, one member for each level. */
  path: string[];
  /** The value that the claim must have, or contain if it is a list. */
  value: string;
}

/** What every request to the destination must have, whoever it is from: a valid token. */
export interface IntentionSpecJwt {
  /** The providers whose tokens count; a token of one of them is enough. */
  providers: IntentionSpecJwtProvider[];
}

/** One provider and what its tokens must say. */
export interface IntentionSpecJwtProvider {
  /** Name of a jwt-provider configuration entry at the servers. */
  name: string;
  /** Claims that a token must have, each with its value. */
  verifyClaims?: IntentionSpecJwtProviderVerifyClaim[];
}

/** One claim. */
export interface IntentionSpecJwtProviderVerifyClaim {
  /** The way to the claim, one member for each level. */
  path: string[];
  /** The value that the claim must have, or contain if it is a list. */
  value: string;
}

/** What became of the declaration, for people to read. Written by the operator. */
export interface IntentionStatus {
  /** How many sources are declared. */
  sources?: number;
  /** How many of them the servers decide by; 0 as long as Ready is not True. */
  effective?: number;
  /**
   * What declares the same destination and holds it: another Intention, or an entry that somebody else wrote at the
   * servers.
   */
  overriddenBy?: string[];
  /** The metadata.generation that this status is about. */
  observedGeneration?: number;
  /**
   * Ready (the servers hold what this object declares), Reconciling (a change is being worked on) and Stalled (it will
   * not get on without a change by you).
   */
  conditions?: Condition[];
}
