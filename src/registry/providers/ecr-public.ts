import * as z from 'zod/mini'
import { DrayError } from '../../errors.ts'
import {
  batchDeleteImage,
  describeRepositories,
  type EcrApi,
  goneWith,
  type ImageIdentifier,
  openEcrApi,
} from './ecr-api.ts'
import type { Provider, ProviderAccess } from './provider.ts'

/** Amazon ECR Public: `public.ecr.aws/ALIAS/NAME`. Its registry API deletes nothing and lists nothing. */
export const ecrPublic: Provider = {
  async deleteTag(access, tag) {
    await deleteFrom(access, { ...tag, reference: `:${tag.tag}` }, { imageTag: tag.tag })
    return goneWith(access, tag)
  },
  async deleteImage(access, image) {
    await deleteFrom(access, { ...image, reference: `@${image.digest}` }, { imageDigest: image.digest })
  },
  async *catalog(access) {
    const byHand = 'aws ecr-public describe-repositories --region us-east-1'
    yield* describeRepositories(await openEcrApi(access, `list your own part of ${access.registry}`, byHand))
  },
}

interface Deletion {
  readonly repository: string
  /** `:TAG` or `@DIGEST`, for messages. */
  readonly reference: string
}

async function deleteFrom(
  access: ProviderAccess,
  { repository, reference }: Deletion,
  image: ImageIdentifier,
): Promise<void> {
  const [alias = '', ...rest] = repository.split('/')
  const name = rest.join('/')
  const [[key, value] = []] = Object.entries(image)
  const byHand = `aws ecr-public batch-delete-image --region us-east-1 --repository-name ${name} --image-ids ${key}=${value}`
  const api = await openEcrApi(access, `delete ${access.registry}/${repository}${reference}`, byHand)
  await checkAlias(api, alias)
  await batchDeleteImage(api, name, image)
}

const registryList = z.looseObject({
  registries: z.array(z.looseObject({ aliases: z.array(z.looseObject({ name: z.string() })) })),
})

/** The API knows repositories by their names alone, so that keys of another account would delete that one's. */
async function checkAlias(api: EcrApi, alias: string): Promise<void> {
  const { registries } = await api.call(registryList, 'DescribeRegistries', {})
  if (registries.some(({ aliases }) => aliases.some(({ name }) => name === alias))) return
  throw new DrayError(
    'UNAUTHORIZED',
    `cannot ${api.what}: the AWS keys belong to another account than ${alias}`,
    {
      hint: 'use keys of the account that the repository belongs to',
    },
  )
}
