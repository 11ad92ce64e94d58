/** A registry of Amazon ECR, and where AWS answers for it. */
export interface EcrRegistry {
  readonly service: 'ecr' | 'ecr-public'
  /** The account that owns a private registry: 12 digits. */
  readonly account?: string | undefined
  readonly region: string
  /** `aws`, `aws-cn`, `aws-us-gov`, …: identities of one are unknown in the others. */
  readonly partition: string
  /** The host of the registry's own API. */
  readonly apiHost: string
  /** The host that gives out temporary keys in that region. */
  readonly stsHost: string
}

/** The suffixes of registries with the marks before and after them; those of both IPv4 and IPv6 have an API elsewhere. */
const suffixes: Readonly<Record<string, { readonly api: string; readonly isDualStack: boolean }>> = {
  '.amazonaws.com': { api: 'amazonaws.com', isDualStack: false },
  '.amazonaws.com.cn': { api: 'amazonaws.com.cn', isDualStack: false },
  '.amazonaws.eu': { api: 'amazonaws.eu', isDualStack: false },
  '-on.aws': { api: 'api.aws', isDualStack: true },
  '-on.amazonwebservices.com.cn': { api: 'api.amazonwebservices.com.cn', isDualStack: true },
}

const publicApis: Readonly<Record<string, string>> = {
  'public.ecr.aws': 'api.ecr-public.us-east-1.amazonaws.com',
  'ecr-public.aws.com': 'ecr-public.us-east-1.api.aws',
}

/**
 * Reads a registry's name as one of Amazon ECR: `ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com` (`.cn`, `.eu`),
 * `ACCOUNT.dkr-ecr[-fips].REGION.on.aws`, `public.ecr.aws` (AWS General Reference, "Amazon ECR endpoints"). Undefined for
 * any other name, also for one that only looks like it.
 */
export function parseEcrRegistry(registry: string): EcrRegistry | undefined {
  const name = registry.toLowerCase()
  const publicApi = Object.hasOwn(publicApis, name) ? publicApis[name] : undefined
  if (publicApi !== undefined) return publicRegistry(publicApi)
  const parts = /^(\d{12})\.dkr([.-])ecr(-fips)?\.([a-z]+(?:-[a-z]+)+-\d+)\.([a-z.]+)$/.exec(name)
  if (parts === null) return undefined
  const [, account, mark, fips = '', region = '', suffix] = parts
  const key = `${mark}${suffix}`
  const place = Object.hasOwn(suffixes, key) ? suffixes[key] : undefined
  if (place === undefined) return undefined
  const partition = partitionOf(region)
  const hasOneSts = partition === 'aws-us-gov' && !place.isDualStack
  return {
    service: 'ecr',
    account,
    region,
    partition,
    apiHost: `${place.isDualStack || fips ? 'ecr' : 'api.ecr'}${fips}.${region}.${place.api}`,
    stsHost: `sts${hasOneSts ? '' : fips}.${region}.${place.api}`,
  }
}

/** Its API is in one region only. */
function publicRegistry(apiHost: string): EcrRegistry {
  const region = 'us-east-1'
  const stsHost = apiHost.replace(/^.*(?=\.us-east-1\.)/, 'sts')
  return { service: 'ecr-public', region, partition: 'aws', apiHost, stsHost }
}

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn'
  if (region.startsWith('us-gov-')) return 'aws-us-gov'
  if (region.startsWith('eusc-')) return 'aws-eusc'
  return 'aws'
}
