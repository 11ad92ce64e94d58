import { createHash, createHmac } from 'node:crypto'

/** A request as a server of AWS gets it. */
export interface SignedRequest {
  readonly method: string
  /** With the query, as on the request line. */
  readonly path: string
  /** Names in lower case, `host` among them. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

/**
 * The `Authorization` that a request should have had (AWS Signature Version 4, "Create a signed request"), for paths and
 * queries that need no encoding. Which headers, day, region and service are signed is taken from the request.
 */
export function rightAuthorization(
  { method, path, headers, body }: SignedRequest,
  secretKey: string,
): string {
  const [, keyId, scope = '', signedHeaders = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\S+), SignedHeaders=(\S+), Signature=[0-9a-f]{64}$/.exec(
      headers.authorization ?? '',
    ) ?? []
  const [pathname = '', query = ''] = path.split('?')
  const lines = signedHeaders.split(';').map(name => `${name}:${headers[name]?.trim().replace(/ +/g, ' ')}`)
  const canonical = [
    method,
    pathname,
    query.split('&').sort().join('&'),
    ...lines,
    '',
    signedHeaders,
    sha256(body),
  ].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n')
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secretKey}`)
  const signature = hmac(key, toSign).toString('hex')
  return `AWS4-HMAC-SHA256 Credential=${keyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`
}
