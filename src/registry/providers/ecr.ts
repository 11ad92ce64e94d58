import { parseEcrRegistry } from '../../aws/ecr-registry.ts'
import { batchDeleteImage, describeRepositories, goneWith, openEcrApi } from './ecr-api.ts'
import type { Provider } from './provider.ts'

/** Amazon ECR. The registry API deletes nothing there (404); the AWS API does, with AWS keys. */
export const ecr: Provider = {
  async deleteTag(access, tag) {
    const what = `delete ${access.registry}/${tag.repository}:${tag.tag}`
    const byHand = deleteByHand(access.registry, tag.repository, `imageTag=${tag.tag}`)
    const api = await openEcrApi(access, what, byHand)
    await batchDeleteImage(api, tag.repository, { imageTag: tag.tag })
    return goneWith(access, tag)
  },
  async deleteImage(access, { repository, digest }) {
    const what = `delete ${access.registry}/${repository}@${digest}`
    const byHand = deleteByHand(access.registry, repository, `imageDigest=${digest}`)
    await batchDeleteImage(await openEcrApi(access, what, byHand), repository, { imageDigest: digest })
  },
  async *catalog(access) {
    const byHand = `aws ecr describe-repositories ${placeOf(access.registry)}`
    yield* describeRepositories(await openEcrApi(access, `list ${access.registry}`, byHand))
  },
}

function deleteByHand(registry: string, repository: string, image: string): string {
  return `aws ecr batch-delete-image ${placeOf(registry)} --repository-name ${repository} --image-ids ${image}`
}

function placeOf(registry: string): string {
  const { region, account } = parseEcrRegistry(registry) ?? {}
  return `--region ${region} --registry-id ${account}`
}
