import * as z from 'zod/mini'
import type { Cloud, CloudContext, CloudWay, LastingCredential } from './cloud.ts'
import { postForm } from './token-service.ts'

const publicAuthority = 'https://login.microsoftonline.com'
/** Whose registries an authority's tokens are good for: those of `azurecr.SUFFIX`. */
const suffixes = new Map([
  ['login.microsoftonline.com', 'io'],
  ['login.chinacloudapi.cn', 'cn'],
  ['login.partner.microsoftonline.cn', 'cn'],
  ['login.microsoftonline.us', 'us'],
])
/** What tokens for registries are asked for, in all of Azure's clouds. */
const scope = 'https://containerregistry.azure.net/.default'

const entraSchema = z.object({ access_token: z.string().check(z.minLength(1)) })
const exchangeSchema = z.object({ refresh_token: z.string().check(z.minLength(1)) })

/** A token for an Azure container registry, had with an application's identity in Microsoft Entra. */
export function azure(context: CloudContext): Cloud {
  const { env, readFile } = context
  const way = (variable: string, prove: () => Promise<Proof>): CloudWay => ({
    variables: ['AZURE_CLIENT_ID', 'AZURE_TENANT_ID', variable],
    find: registry => findToken(context, registry, prove),
  })
  return {
    name: 'Azure Container Registry',
    isFor: registry => {
      const suffix = /^[a-z0-9-]+\.azurecr\.(io|cn|us)$/.exec(registry)?.[1]
      return suffix !== undefined && suffixes.get(authorityOf(env)?.host ?? '') === suffix
    },
    ways: [
      way('AZURE_FEDERATED_TOKEN_FILE', async () => {
        const secret = (await readFile(env.AZURE_FEDERATED_TOKEN_FILE ?? '')).trim()
        const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
        return { secret, fields: { client_assertion_type: type, client_assertion: secret } }
      }),
      way('AZURE_CLIENT_SECRET', async () => {
        const secret = env.AZURE_CLIENT_SECRET ?? ''
        return { secret, fields: { client_secret: secret } }
      }),
    ],
  }
}

/** How an application proves itself (RFC 6749, section 2.3.1; RFC 7523, section 2.2). */
interface Proof {
  readonly secret: string
  readonly fields: Readonly<Record<string, string>>
}

/** Undefined for an authority that is none of Azure's own: nothing says which registries it is for. */
function authorityOf({ AZURE_AUTHORITY_HOST }: CloudContext['env']): URL | undefined {
  const text = AZURE_AUTHORITY_HOST || publicAuthority
  return URL.canParse(text) && text.startsWith('https://') ? new URL(text) : undefined
}

/** An identity token: Entra's access token, traded at the registry for its own refresh token, which lasts three hours. */
async function findToken(
  { env, ask }: CloudContext,
  registry: string,
  prove: () => Promise<Proof>,
): Promise<LastingCredential | undefined> {
  const authority = authorityOf(env)
  if (ask === undefined || authority === undefined) return undefined
  const { AZURE_CLIENT_ID: client_id = '', AZURE_TENANT_ID: tenant = '' } = env
  const proof = await prove()
  const { access_token } = await postForm(
    ask,
    {
      url: new URL(`/${encodeURIComponent(tenant)}/oauth2/v2.0/token`, authority),
      fields: { grant_type: 'client_credentials', client_id, scope, ...proof.fields },
    },
    { schema: entraSchema, secrets: [proof.secret] },
  )
  const { refresh_token } = await postForm(
    ask,
    {
      url: new URL(`https://${registry}/oauth2/exchange`),
      fields: { grant_type: 'access_token', service: registry, tenant, access_token },
    },
    { schema: exchangeSchema, secrets: [access_token] },
  )
  return {
    credential: { kind: 'identity-token', token: refresh_token },
    expiresAt: expiryOfJwt(refresh_token),
  }
}

/** Milliseconds since 1970 (RFC 7519, section 4.1.4); undefined where the token does not tell. */
function expiryOfJwt(token: string): number | undefined {
  const claims = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')
  const seconds = /"exp"\s*:\s*(\d+)/.exec(claims)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1000
}
