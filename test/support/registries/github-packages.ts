import type { RequestListener, ServerResponse } from 'node:http'
import type { EmbeddedRegistry } from '../embedded-registry.ts'
import { readRecorded } from '../fixtures.ts'
import { answerJson } from './emulation.ts'
import { type StoredImage, storedImages, storedRepositories } from './stored-images.ts'

/** A page has as many as are asked for, 100 at the most; so few show how pages follow one another. */
const maxPageSize = 2

const notFound = {
  message: 'Package not found.',
  documentation_url: 'https://docs.github.com/rest/packages/packages',
  status: '404',
}

/** What of it belongs to whom. */
export interface GithubAccount {
  /** A user's name in lower case, as in names of images. */
  readonly owner: string
  /** A token with all scopes. */
  readonly token: string
}

/** GitHub's REST API for the container packages of one user: lists of packages and versions, the deletion of a version. */
export function githubPackages(store: EmbeddedRegistry, { owner, token }: GithubAccount): RequestListener {
  const ids = new Map<string, number>()
  const idOf = (digest: string) => {
    const id = ids.get(digest) ?? 45_763 + ids.size
    ids.set(digest, id)
    return id
  }

  return async ({ method, url = '', headers }, response) => {
    if (headers['user-agent'] === undefined) {
      response.writeHead(403).end('Request forbidden by administrative rules.')
      return
    }
    if (headers.authorization !== `Bearer ${token}`) {
      return answerJson(response, 401, { ...notFound, message: 'Bad credentials', status: '401' })
    }
    const { pathname, searchParams } = new URL(url, 'https://api.github.com')
    if (pathname === '/user/packages' && searchParams.get('package_type') === 'container') {
      return answerPage(response, `/user/packages`, searchParams, await packages())
    }
    const [, user, name = '', id] =
      /^\/users\/([^/]+)\/packages\/container\/([^/]+)\/versions(?:\/(\d+))?$/.exec(pathname) ?? []
    const images = user === owner ? await storedImages(store, `${owner}/${decodeURIComponent(name)}`) : []
    if (images.length === 0) return answerJson(response, 404, notFound)
    if (method === 'DELETE')
      return deleteVersion(response, `${owner}/${decodeURIComponent(name)}`, images, Number(id))
    answerPage(response, `/user/1/packages/container/${name}/versions`, searchParams, images.map(versionOf))
  }

  async function packages(): Promise<unknown[]> {
    const names = (await storedRepositories(store)).filter(name => name.startsWith(`${owner}/`))
    const recorded = readRecorded('ghcr-package') as object
    return names.map(name => ({ ...recorded, name: name.slice(owner.length + 1) }))
  }

  function versionOf({ digest, tags }: StoredImage): unknown {
    const metadata = { package_type: 'container', container: { tags } }
    return { ...(readRecorded('ghcr-version') as object), id: idOf(digest), name: digest, metadata }
  }

  async function deleteVersion(
    response: ServerResponse,
    repository: string,
    images: readonly StoredImage[],
    id: number,
  ): Promise<void> {
    const image = images.find(({ digest }) => idOf(digest) === id)
    if (image === undefined) return answerJson(response, 404, { ...notFound, message: 'Not Found' })
    const isLastTagged = image.tags.length > 0 && images.filter(({ tags }) => tags.length > 0).length === 1
    if (isLastTagged) {
      const message =
        'You cannot delete the last tagged version of a package. You must delete the package instead.'
      return answerJson(response, 400, { ...notFound, message, status: '400' })
    }
    await store.ask('DELETE', `/v2/${repository}/manifests/${image.digest}`)
    response.writeHead(204).end()
  }
}

/** The pages that follow lie at the account's number, not at its name. */
function answerPage(
  response: ServerResponse,
  path: string,
  query: URLSearchParams,
  items: readonly unknown[],
): void {
  const page = Number(query.get('page') ?? 1)
  const size = Math.min(Number(query.get('per_page') ?? 30), maxPageSize)
  const next = new URLSearchParams({ ...Object.fromEntries(query), page: String(page + 1) })
  const link = `<https://api.github.com${path}?${next}>; rel="next"`
  const limits = {
    'x-ratelimit-limit': '5000',
    'x-ratelimit-remaining': '4999',
    'x-ratelimit-reset': '1372700873',
  }
  const more = items.length > page * size ? { link } : {}
  answerJson(response, 200, items.slice((page - 1) * size, page * size), { ...limits, ...more })
}
