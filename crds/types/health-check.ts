// Generated from crds/health-check.yaml by `make crds`; change that file instead.
import type { ObjectMeta } from '../kubernetes-meta.ts';
import type { Condition } from './condition.ts';

/**
 * A HealthCheck is one check, run on every instance of a Service of the same namespace by the agent of the instance's
 * node. An instance with a critical check is left out of DNS answers.
 */
export interface HealthCheck {
  /** The version of this schema, lictor.dev/v1alpha1. */
  apiVersion: 'lictor.dev/v1alpha1';
  /** HealthCheck. */
  kind: 'HealthCheck';
  /** Standard object metadata. */
  metadata: ObjectMeta;
  /** What is checked, how often, and how many results make a verdict. */
  spec: HealthCheckSpec;
  /** What the checks say, for people to read; the full detail is in the HTTP API. Written by the operator. */
  status?: HealthCheckStatus;
}

/** What is checked, how often, and how many results make a verdict. */
export interface HealthCheckSpec {
  /** The Service whose instances are checked. */
  serviceRef: HealthCheckSpecServiceRef;
  /**
   * Sends an HTTP request: 2xx is passing, 429 is warning, all else is critical. One of http, tcp, udp, grpc, h2ping
   * and ttl is set.
   */
  http?: HealthCheckSpecHttp;
  /**
   * Opens a TCP connection: success is passing, all else is critical. One of http, tcp, udp, grpc, h2ping and ttl is
   * set.
   */
  tcp?: HealthCheckSpecTcp;
  /**
   * Sends a UDP datagram: critical when the port refuses it; an answer, and none within the timeout, is passing. One of
   * http, tcp, udp, grpc, h2ping and ttl is set.
   */
  udp?: HealthCheckSpecUdp;
  /**
   * Asks a gRPC server for its health (grpc.health.v1.Health/Check): SERVING is passing, all else is critical. One of
   * http, tcp, udp, grpc, h2ping and ttl is set.
   */
  grpc?: HealthCheckSpecGrpc;
  /**
   * Sends a PING over HTTP/2: its acknowledgement is passing, all else is critical. One of http, tcp, udp, grpc, h2ping
   * and ttl is set.
   */
  h2ping?: HealthCheckSpecH2ping;
  /**
   * The instance itself reports to the agent of its node (PUT /v1/agent/check/pass/<id>, warn, fail or update); the
   * check is critical when no report came for this long. A Go duration (30s, 1m30s) of at least 1s and at most 168h.
   * One of http, tcp, udp, grpc, h2ping and ttl is set.
   */
  ttl?: string;
  /**
   * Time from the end of one run to the start of the next; the first run comes within one interval. A Go duration (10s,
   * 1m30s) of at least 1s and at most 168h. Needed with every check but ttl.
   */
  interval?: string;
  /**
   * A run that takes longer is critical. A Go duration of at least 1ms and at most 168h; it may be longer than the
   * interval, as runs of a check never overlap. Default: 10s.
   */
  timeout?: string;
  /** How many good results in a row are needed before the check is passing. 0 and 1 mean: the first. Default: 0. */
  successBeforePassing?: number;
  /**
   * How many bad results in a row are needed before the check is warning. Not greater than failuresBeforeCritical,
   * which is the default, so that there is no warning in between.
   */
  failuresBeforeWarning?: number;
  /** How many bad results in a row are needed before the check is critical. 0 and 1 mean: the first. Default: 0. */
  failuresBeforeCritical?: number;
  /**
   * An instance whose check has been critical for this long is taken out of the catalog. A Go duration of at least 1m
   * and at most 720h. Default: never.
   */
  deregisterCriticalServiceAfter?: string;
  /** A remark for people, shown with the check. */
  notes?: string;
}

/** The Service whose instances are checked. */
export interface HealthCheckSpecServiceRef {
  /** metadata.name of a lictor.dev Service of this namespace. */
  name: string;
}

/**
 * Sends an HTTP request: 2xx is passing, 429 is warning, all else is critical. One of http, tcp, udp, grpc, h2ping and
 * ttl is set.
 */
export interface HealthCheckSpecHttp {
  /** Path and query of the request; what is not printable ASCII must be percent-encoded. Default: "/". */
  path?: string;
  /** A number from 1 to 65535, or the name of one of the Service's ports. Default: the Service's default port. */
  port?: number | string;
  /** Method of the request. Default: "GET". */
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  /** Headers of the request, each with a list of values. Host sets the name of the virtual host. */
  header?: Record<string, string[]>;
  /** Body of the request. */
  body?: string;
  /** With it the request goes over HTTPS. */
  tls?: HealthCheckSpecHttpTls;
  /** Whether a redirect is taken as the answer (and so is critical) instead of being followed. Default: false. */
  disableRedirects?: boolean;
}

/** With it the request goes over HTTPS. */
export interface HealthCheckSpecHttpTls {
  /** Whether TLS is used; false turns it off without removing the other settings. Default: true. */
  enabled?: boolean;
  /** Whether any certificate is good enough. Default: false. */
  skipVerify?: boolean;
  /**
   * Name that is sent (SNI) and that the certificate must be for. Default: the Host header, else the instance's
   * address.
   */
  serverName?: string;
}

/**
 * Opens a TCP connection: success is passing, all else is critical. One of http, tcp, udp, grpc, h2ping and ttl is set.
 */
export interface HealthCheckSpecTcp {
  /** A number from 1 to 65535, or the name of one of the Service's ports. Default: the Service's default port. */
  port?: number | string;
  /** With it the check passes only after a TLS handshake. */
  tls?: HealthCheckSpecTcpTls;
}

/** With it the check passes only after a TLS handshake. */
export interface HealthCheckSpecTcpTls {
  /** Whether TLS is used; false turns it off without removing the other settings. Default: true. */
  enabled?: boolean;
  /** Whether any certificate is good enough. Default: false. */
  skipVerify?: boolean;
  /** Name that is sent (SNI) and that the certificate must be for. Default: the instance's address. */
  serverName?: string;
}

/**
 * Sends a UDP datagram: critical when the port refuses it; an answer, and none within the timeout, is passing. One of
 * http, tcp, udp, grpc, h2ping and ttl is set.
 */
export interface HealthCheckSpecUdp {
  /** A number from 1 to 65535, or the name of one of the Service's ports. Default: the Service's default port. */
  port?: number | string;
}

/**
 * Asks a gRPC server for its health (grpc.health.v1.Health/Check): SERVING is passing, all else is critical. One of
 * http, tcp, udp, grpc, h2ping and ttl is set.
 */
export interface HealthCheckSpecGrpc {
  /** A number from 1 to 65535, or the name of one of the Service's ports. Default: the Service's default port. */
  port?: number | string;
  /** Name of the gRPC service that is asked for. Default: the health of the server as a whole. */
  service?: string;
  /** With it the server is reached over TLS. */
  tls?: HealthCheckSpecGrpcTls;
}

/** With it the server is reached over TLS. */
export interface HealthCheckSpecGrpcTls {
  /** Whether TLS is used; false turns it off without removing the other settings. Default: true. */
  enabled?: boolean;
  /** Whether any certificate is good enough. Default: false. */
  skipVerify?: boolean;
  /** Name that is sent (SNI) and that the certificate must be for. Default: the instance's address. */
  serverName?: string;
}

/**
 * Sends a PING over HTTP/2: its acknowledgement is passing, all else is critical. One of http, tcp, udp, grpc, h2ping
 * and ttl is set.
 */
export interface HealthCheckSpecH2ping {
  /** A number from 1 to 65535, or the name of one of the Service's ports. Default: the Service's default port. */
  port?: number | string;
  /** With it the server is reached over TLS, else in the clear (h2c). */
  tls?: HealthCheckSpecH2pingTls;
}

/** With it the server is reached over TLS, else in the clear (h2c). */
export interface HealthCheckSpecH2pingTls {
  /** Whether TLS is used; false turns it off without removing the other settings. Default: true. */
  enabled?: boolean;
  /** Whether any certificate is good enough. Default: false. */
  skipVerify?: boolean;
  /** Name that is sent (SNI) and that the certificate must be for. Default: the instance's address. */
  serverName?: string;
}

/** What the checks say, for people to read; the full detail is in the HTTP API. Written by the operator. */
export interface HealthCheckStatus {
  /** On how many instances the check passes. */
  passing?: number;
  /** On how many instances the check warns. */
  warning?: number;
  /** On how many instances the check is critical. */
  critical?: number;
  /** The first 50 instances on which the check is not passing, the critical ones first. */
  failing?: HealthCheckStatusFailing[];
  /** How many instances are not in the list of failing ones, as it is bounded. */
  omitted?: number;
  /** The metadata.generation that this status is about. */
  observedGeneration?: number;
  /**
   * Ready (the check stands on every instance), Reconciling (a change is being worked on) and Stalled (it will not get
   * on without a change by you).
   */
  conditions?: Condition[];
}

/** One instance on which the check is not passing. */
export interface HealthCheckStatusFailing {
  /** Instance id. */
  instance: string;
  /** Catalog node that the instance belongs to. */
  node: string;
  /** State of the check. */
  status: 'warning' | 'critical';
  /** What the last run said, cut at 256 bytes. */
  output: string;
  /** Since when the check has this state, as far as the operator saw. */
  since: string;
}
