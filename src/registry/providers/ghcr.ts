import * as z from 'zod/mini'
import { DrayError, isDrayError } from '../../errors.ts'
import type { WebAnswer } from '../../web-service.ts'
import { nextPage } from '../pages.ts'
import { wouldTakeAlong } from '../would-take-along.ts'
import { passwordLogin } from './password-login.ts'
import type { Provider, ProviderAccess } from './provider.ts'
import { type ApiRequest, apiError, apiPages, askApi, readAnswer } from './provider-api.ts'

/**
 * GitHub Container Registry. Nothing is deleted through the registry API; GitHub's packages REST API deletes a version,
 * which is an image with all its tags (https://docs.github.com/en/rest/packages/packages).
 */
export const ghcr: Provider = {
  async deleteTag(access, { repository, tag, digest, force }) {
    const image = await openPackage(access, repository, `:${tag}`)
    // Both, so that a tag which was moved meanwhile takes no other image with it.
    const version = await findVersion(image, ({ name, tags }) => name === digest && tags.includes(tag))
    const siblings = version.tags.filter(other => other !== tag)
    const name = `${access.registry}/${repository}`
    if (siblings.length > 0 && !force) throw wouldTakeAlong({ name }, tag, siblings, { viaDummy: false })
    await deleteVersion(image, version)
    return { tags: [tag, ...siblings], manifest: true }
  },
  async deleteImage(access, { repository, digest }) {
    const image = await openPackage(access, repository, `@${digest}`)
    await deleteVersion(image, await findVersion(image, ({ name }) => name === digest))
  },
  catalog,
}

const github = new URL('https://api.github.com/')
const needs =
  "the login's token needs the scopes read:packages and delete:packages, and its owner the role admin at the package"

/** A package that is worked on, and how to speak of that. */
interface Package {
  readonly access: ProviderAccess
  readonly owner: string
  /** In a path: with `%2F` for `/`. */
  readonly name: string
  readonly request: Pick<ApiRequest, 'authorization' | 'headers' | 'what' | 'needs'>
}

async function openPackage(access: ProviderAccess, repository: string, reference: string): Promise<Package> {
  const what = `delete ${access.registry}/${repository}${reference}`
  const [owner = '', ...rest] = repository.split('/')
  return {
    access,
    owner,
    name: encodeURIComponent(rest.join('/')),
    request: { ...(await proof(access, what, repository)), what, needs },
  }
}

async function proof(access: ProviderAccess, what: string, repository?: string) {
  const { password } = await passwordLogin(access, what, repository)
  return {
    authorization: `Bearer ${password}`,
    headers: { accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' },
  }
}

interface Version {
  /** Where it is deleted. */
  readonly url: URL
  /** Its digest. */
  readonly name: string
  readonly tags: readonly string[]
}

/** Whose package it is, an organization's or a user's, only the answers tell. */
async function findVersion(image: Package, fits: (version: Version) => boolean): Promise<Version> {
  const { owner, name, request } = image
  for (const owners of ['orgs', 'users']) {
    const versions = new URL(`${owners}/${owner}/packages/container/${name}/versions`, github)
    try {
      for await (const version of versionsOf(image, versions)) if (fits(version)) return version
      break
    } catch (error) {
      if (!isDrayError(error, 'NOT_FOUND') || owners === 'users') throw error
    }
  }
  throw new DrayError(
    'NOT_FOUND',
    `cannot ${request.what}: ${github.host} lists no such version of the package`,
  )
}

const versionList = z.array(
  z.looseObject({
    id: z.int(),
    name: z.string(),
    metadata: z.optional(
      z.looseObject({ container: z.optional(z.looseObject({ tags: z.array(z.string()) })) }),
    ),
  }),
)

function versionsOf({ access, request }: Package, versions: URL): AsyncGenerator<Version> {
  return apiPages(new URL(`${versions}?per_page=100`), async url => {
    const answer = await askApi(access, { ...request, method: 'GET', url })
    const items = readAnswer(versionList, answer, request.what).map(({ id, name, metadata }) => ({
      url: new URL(`${versions}/${id}`),
      name,
      tags: metadata?.container?.tags ?? [],
    }))
    return { items, next: nextPage(answer.header('link'), url) }
  })
}

/** Refused for the last version with a tag, for then the package would be as good as gone. */
async function deleteVersion({ access, owner, name, request }: Package, { url }: Version): Promise<void> {
  const question = { ...request, method: 'DELETE', url } as const
  const answer = await askApi(access, { ...question, expected: [200, 202, 204, 400] })
  if (answer.status !== 400) return
  const error = apiError(answer, question)
  if (!/last (?:tagged )?version/i.test(error.message)) throw error
  const [, owners = 'users'] = url.pathname.split('/')
  throw new DrayError('UNSUPPORTED', error.message, {
    hint: `delete the package itself: gh api --method DELETE /${owners}/${owner}/packages/container/${name}`,
    cause: error,
    status: answer.status,
  })
}

const packageList = z.array(z.looseObject({ name: z.string(), owner: z.looseObject({ login: z.string() }) }))

/** The packages of the login's owner. */
async function* catalog(access: ProviderAccess): AsyncGenerator<string> {
  const what = `list the packages of your account at ${access.registry}`
  const request = {
    ...(await proof(access, what)),
    what,
    needs: "the login's token needs the scope read:packages",
  }
  yield* apiPages(new URL('user/packages?package_type=container&per_page=100', github), async url => {
    const answer: WebAnswer = await askApi(access, { ...request, method: 'GET', url })
    const packages = readAnswer(packageList, answer, what)
    return {
      // Names of images are in lower case, those of accounts need not be.
      items: packages.map(({ name, owner }) => `${owner.login}/${name}`.toLowerCase()),
      next: nextPage(answer.header('link'), url),
    }
  })
}
