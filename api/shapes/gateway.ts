/** A service that a gateway serves (Consul HTTP API, "List services for gateway"). */
export interface GatewayService {
  readonly Gateway: { readonly Name: string };
  readonly Service: { readonly Name: string };
  readonly GatewayKind: 'terminating-gateway' | 'ingress-gateway' | 'api-gateway';
  /** Of the listener. */
  readonly Port?: number;
  readonly Protocol?: string;
  readonly Hosts?: readonly string[];
  /** What a terminating gateway presents and expects. */
  readonly CAFile?: string;
  readonly CertFile?: string;
  readonly KeyFile?: string;
  readonly SNI?: string;
  readonly AutoHostRewrite?: true;
  /** It is one of those that `*` stands for. */
  readonly FromWildcard?: true;
  /** Whether it has instances, or is a destination outside. */
  readonly ServiceKind?: 'service' | 'destination';
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}
