/** How to reach and prove oneself to an API server. */
export interface KubeCredentials {
  /** E.g. `https://10.96.0.1:443`. */
  readonly server: string;
  /** Request headers that carry the credential. Never logged. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: {
    readonly ca?: string | Buffer;
    readonly cert?: string | Buffer;
    readonly key?: string | Buffer;
    readonly rejectUnauthorized?: boolean;
    readonly servername?: string;
  };
}

/** Gives current credentials; `refresh` asks for new ones because the server refused the last (401). */
export interface KubeAuth {
  credentials(options?: { readonly refresh?: boolean }): Promise<KubeCredentials>;
}
