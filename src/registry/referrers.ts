import { type HttpResponse, withHeaders } from '../http/message.ts'
import { collect } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import type { Digest } from '../oci/digest.ts'
import { checkShape, parseJson } from '../oci/document.ts'
import { type ImageIndex, maxManifestBytes } from '../oci/manifest.ts'
import { indexSchema } from '../oci/manifest-schema.ts'
import { essenceOf, mediaTypes } from '../oci/media-types.ts'
import { nameOf, type RepositoryContext, repositoryRequest } from './context.ts'
import { type Page, pagedItems } from './pages.ts'
import { listByTag } from './referrers-tag.ts'
import { expectStatus } from './registry-error.ts'

export interface ReferrersOptions {
  /** Only those of this type. */
  readonly artifactType?: string | undefined
}

/** Answers of registries without referrers: most say 404, Quay 400 of a subject it does not know, some name the method. */
const unsupported = new Set([400, 404, 405, 406, 501])

/**
 * The manifests that name a manifest as their `subject` (distribution-spec v1.1 end-12a, end-12b), all pages; none where
 * there are none. A registry without referrers is asked for the tag in which clients keep them ("Referrers Tag Schema").
 * What the registry does not filter is filtered here.
 * @throws DrayError `UNAUTHORIZED`, `INTEGRITY` for a malformed list
 */
export async function* listReferrers(
  context: RepositoryContext,
  subject: Digest,
  options: ReferrersOptions = {},
): AsyncGenerator<Descriptor> {
  const { artifactType } = options
  const what = `list the referrers of ${nameOf(context, subject)}`
  const request = repositoryRequest(context, 'GET', `referrers/${subject}`)
  const first = new URL(request.url)
  if (artifactType !== undefined) first.searchParams.set('artifactType', artifactType)
  yield* pagedItems<Descriptor>(first, {
    what,
    keyOf: ({ digest }) => digest,
    fetch: async (url): Promise<Page<Descriptor>> => {
      const response = await context.send(withHeaders({ ...request, url }, { accept: mediaTypes.ociIndex }))
      if (url === first && knowsNoReferrers(response)) {
        await response.discard()
        return { items: ofType(await listByTag(context, subject), artifactType), link: undefined }
      }
      const { manifests } = await readIndex(await expectStatus(response, [200], what), what)
      const isFiltered = /\bartifactType\b/.test(response.headers.get('oci-filters-applied') ?? '')
      return {
        items: isFiltered ? manifests : ofType(manifests, artifactType),
        link: response.headers.get('link'),
      }
    },
  })
}

/** GHCR was seen to redirect to a page for people. */
function knowsNoReferrers({ status, headers }: HttpResponse): boolean {
  if (status === 200) return essenceOf(headers.get('content-type')) !== mediaTypes.ociIndex
  return unsupported.has(status) || (status >= 300 && status < 400)
}

async function readIndex(response: HttpResponse, what: string): Promise<ImageIndex> {
  const name = `cannot ${what}: the answer`
  return checkShape(indexSchema, parseJson(await collect(response.body, maxManifestBytes, name), name), name)
}

function ofType(manifests: readonly Descriptor[], artifactType: string | undefined): readonly Descriptor[] {
  return artifactType === undefined
    ? manifests
    : manifests.filter(manifest => manifest.artifactType === artifactType)
}
