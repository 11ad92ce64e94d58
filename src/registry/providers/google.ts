import * as z from 'zod/mini'
import type { Credential } from '../../credential.ts'
import { DrayError } from '../../errors.ts'
import { repositoryScope } from '../../http/scope.ts'
import { collect } from '../../oci/content.ts'
import { nextPage } from '../pages.ts'
import { expectStatus, registryError } from '../registry-error.ts'
import type { ImageToDelete, Provider, ProviderAccess } from './provider.ts'
import { apiPages } from './provider-api.ts'

/** Google Artifact Registry, and Container Registry (gcr.io), which it now serves. */
export const google: Provider = { deleteImage, catalog }

/** An image that still has tags is refused (400 GOOGLE_MANIFEST_DANGLING_TAG), so that these go first, one by one. */
async function deleteImage(access: ProviderAccess, image: ImageToDelete): Promise<void> {
  const { registry, url, send } = access
  const { repository, digest, tags } = image
  for (const reference of [...tags, digest]) {
    const response = await send({
      method: 'DELETE',
      url: new URL(`v2/${repository}/manifests/${reference}`, url),
      scopes: [repositoryScope(repository, 'pull,push')],
    })
    // Somebody else may have deleted the tag in the meantime.
    const isDone = response.status < 300 || (response.status === 404 && reference !== digest)
    const name = `${registry}/${repository}${reference === digest ? '@' : ':'}${reference}`
    if (!isDone) throw await registryError(response, `delete ${name}`)
    await response.discard()
  }
}

/** The most names that a walk through a project follows. */
const maxNames = 100_000

/**
 * The repositories of one project, found by a walk from name to name: `_catalog` answers with an empty list at
 * `*.pkg.dev`, and at gcr.io to a login that may not list projects. Whose project, the environment says, or the service
 * account's key.
 */
async function* catalog(access: ProviderAccess): AsyncGenerator<string> {
  const { registry } = access
  const project = await projectOf(access)
  if (project === undefined) {
    throw new DrayError('UNSUPPORTED', `cannot list ${registry}: it lists one project only`, {
      hint: 'name the project in GOOGLE_CLOUD_PROJECT',
    })
  }
  const names = [project]
  for (const name of names) {
    const { children, holdsImages } = await readFolder(access, name)
    for (const child of children) names.push(`${name}/${child}`)
    if (names.length > maxNames) {
      throw new DrayError('REGISTRY', `cannot list ${registry}: ${project} has more than ${maxNames} names`)
    }
    if (holdsImages) yield name
  }
}

/** As names of images have it: the project `example.com:app` is `example.com/app` there. */
async function projectOf({ registry, env, findCredential }: ProviderAccess): Promise<string | undefined> {
  const project = env.GOOGLE_CLOUD_PROJECT || projectOfKey(await findCredential({ registry }))
  return project?.replace(':', '/')
}

/** A service account's key, a JSON document, names its project. */
function projectOfKey(credential: Credential | undefined): string | undefined {
  if (credential?.kind !== 'basic' || !/^_json_key(?:_base64)?$/.test(credential.username)) return undefined
  const { username, password } = credential
  const text = username === '_json_key' ? password : Buffer.from(password, 'base64').toString('utf8')
  try {
    return z.looseObject({ project_id: z.string() }).parse(JSON.parse(text)).project_id
  } catch {
    // A key that cannot be read opens nothing, as the registry will say.
    return undefined
  }
}

const folder = z.looseObject({
  child: z.optional(z.nullable(z.array(z.string().check(z.regex(/^\w[\w.-]*$/))))),
  manifest: z.optional(z.nullable(z.record(z.string(), z.unknown()))),
})

const maxFolderBytes = 64 * 1024 * 1024

interface Folder {
  /** What comes behind its own name. */
  readonly children: readonly string[]
  readonly holdsImages: boolean
}

async function readFolder(access: ProviderAccess, name: string): Promise<Folder> {
  const children = new Set<string>()
  let holdsImages = false
  const first = new URL(`v2/${name}/tags/list?n=1000`, access.url)
  for await (const page of apiPages(first, url => readFolderPage(access, url, name))) {
    for (const child of page.child ?? []) children.add(child)
    holdsImages ||= Object.keys(page.manifest ?? {}).length > 0
  }
  return { children: [...children], holdsImages }
}

async function readFolderPage({ registry, send }: ProviderAccess, url: URL, name: string) {
  const what = `list ${registry}/${name}`
  const scopes = [repositoryScope(name, 'pull')]
  const response = await expectStatus(await send({ method: 'GET', url, scopes }), [200], what)
  const next = nextPage(response.headers.get('link'), url)
  const bytes = await collect(response.body, maxFolderBytes, `cannot ${what}`)
  try {
    return { items: [folder.parse(JSON.parse(bytes.toString('utf8')))], next }
  } catch (cause) {
    throw new DrayError('INTEGRITY', `cannot ${what}: the answer is not a list of tags`, { cause })
  }
}
