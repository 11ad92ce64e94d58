import { parseEcrRegistry } from '../../aws/ecr-registry.ts'
import { parseChallenges } from '../../http/challenge.ts'
import type { RegistryContext } from '../context.ts'
import type { KnownProvider, PingAnswer } from './provider.ts'

/** A self-hosted registry of which nothing is known. */
export const unknownProvider: KnownProvider = {
  id: 'distribution',
  name: 'a registry',
  catalogHint: 'many registries keep their catalog closed or open it to administrators only',
  deleteHint:
    "deletion is switched off there; distribution's registry allows it with REGISTRY_STORAGE_DELETE_ENABLED=true",
}

/** All of them; the first that fits is meant. */
export const knownProviders: readonly KnownProvider[] = [
  {
    id: 'docker-hub',
    name: 'Docker Hub',
    isHost: registry => registry === 'docker.io',
    load: async () => (await import('./docker-hub.ts')).dockerHub,
    hasApiElsewhere: true,
    catalogHint: 'Docker Hub has no catalog: log in to list the repositories of your account',
  },
  {
    id: 'ghcr',
    name: 'GitHub Container Registry',
    isHost: registry => registry === 'ghcr.io',
    load: async () => (await import('./ghcr.ts')).ghcr,
    hasApiElsewhere: true,
    hasOwnImageDelete: true,
    catalogHint: 'GitHub lists packages for a login with the scope read:packages only',
    deleteHint: "delete the version in the package's settings on GitHub, or with its packages REST API",
  },
  {
    id: 'gitlab',
    name: 'GitLab',
    isHost: registry => registry === 'registry.gitlab.com',
    isAnswer: ({ challenges }) =>
      challenges.some(
        ({ parameters: { realm = '', service } }) =>
          realm.endsWith('/jwt/auth') && service === 'container_registry',
      ),
    load: async () => (await import('./gitlab.ts')).gitlab,
    catalogHint:
      'GitLab opens its catalog to nobody; its repositories are listed through its API with a login',
  },
  {
    id: 'ecr',
    name: 'Amazon ECR',
    isHost: registry => parseEcrRegistry(registry)?.service === 'ecr',
    load: async () => (await import('./ecr.ts')).ecr,
    hasOwnTagDelete: true,
    hasOwnImageDelete: true,
    catalogHint: 'the login needs the right ecr:DescribeRepositories',
    deleteHint: 'delete it with: aws ecr batch-delete-image',
  },
  {
    id: 'ecr-public',
    name: 'Amazon ECR Public',
    isHost: registry => parseEcrRegistry(registry)?.service === 'ecr-public',
    load: async () => (await import('./ecr-public.ts')).ecrPublic,
    hasOwnTagDelete: true,
    hasOwnImageDelete: true,
    catalogHint: 'Amazon ECR Public lists your own repositories with AWS keys only',
    deleteHint: 'delete it with: aws ecr-public batch-delete-image',
  },
  {
    id: 'google',
    name: 'Google Artifact Registry',
    isHost: registry => /^(?:(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+-docker\.pkg\.dev)$/.test(registry),
    load: async () => (await import('./google.ts')).google,
    hasOwnImageDelete: true,
    catalogHint:
      'list one project: its repositories are the children of PROJECT (gcr.io) or PROJECT/REPOSITORY',
  },
  {
    id: 'acr',
    name: 'Azure Container Registry',
    isHost: registry => /\.azurecr\.(?:io|cn|us)$/.test(registry),
    load: async () => (await import('./acr.ts')).acr,
    hasOwnTagDelete: true,
    catalogHint: 'the login needs the right registry:catalog:*, which tokens for one repository have not',
  },
  {
    id: 'harbor',
    name: 'Harbor',
    isAnswer: ({ challenges }) =>
      challenges.some(
        ({ parameters: { realm, service } }) => service === 'harbor-registry' || realm === 'harbor',
      ),
    load: async () => (await import('./harbor.ts')).harbor,
    catalogHint: 'Harbor opens its catalog to system administrators only',
  },
  {
    id: 'artifactory',
    name: 'JFrog Artifactory',
    isHost: registry => registry.endsWith('.jfrog.io'),
    isAnswer: ({ headers, challenges }) =>
      headers.get('x-jfrog-version') !== undefined ||
      challenges.some(({ parameters: { realm = '' } }) => /artifactory/i.test(realm)),
    load: async () => (await import('./artifactory.ts')).artifactory,
    catalogHint: 'Artifactory lists the repositories of a repository key only',
  },
  {
    id: 'quay',
    name: 'Quay',
    isHost: registry => registry === 'quay.io',
    isAnswer: ({ challenges }) =>
      challenges.some(({ parameters: { realm = '' } }) => /\/v2\/auth$/.test(realm)),
    load: async () => (await import('./quay.ts')).quay,
    catalogHint: 'Quay lists repositories for a login only',
  },
  {
    id: 'dtr',
    name: 'Mirantis Secure Registry',
    isAnswer: ({ challenges }) => challenges.some(({ parameters: { service } }) => service === 'dtr'),
    load: async () => (await import('./dtr.ts')).dtr,
    catalogHint: 'its catalog is open to administrators only',
  },
]

/** The provider that the name of a registry tells, without asking it. */
export function providerByName(registry: string): KnownProvider | undefined {
  return knownProviders.find(({ isHost }) => isHost?.(registry))
}

/** The provider of a registry: by what it was said to be, by its name, or by how it answers. */
export async function findProvider(context: RegistryContext): Promise<KnownProvider> {
  const { provider, registry } = context
  const said = knownProviders.find(({ id }) => id === provider) ?? providerByName(registry)
  if (said !== undefined || provider === 'distribution') return said ?? unknownProvider
  const answer = await pingAnswer(context)
  return knownProviders.find(({ isAnswer }) => isAnswer?.(answer)) ?? unknownProvider
}

/** How a registry answers `GET /v2/` without a login; each is asked once. A host that it redirects to challenges nobody. */
export function pingAnswer({ plain, url, learnt }: RegistryContext): Promise<PingAnswer> {
  const ask = async () => {
    const response = await plain({ method: 'GET', url: new URL('v2/', url) })
    await response.discard()
    const { status, headers } = response
    const lines = response.url.origin === url.origin ? headers.all('www-authenticate') : []
    return { status, headers, challenges: parseChallenges(lines) }
  }
  learnt.ping ??= ask()
  return learnt.ping
}
