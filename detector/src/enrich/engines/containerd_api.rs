//! containerd's own interface, for containers that are not Kubernetes': ctr, nerdctl.

use std::path::Path;

use super::{
    cri_messages::{ById, GetContainerResponse, GetImageResponse},
    socket::{EngineError, call},
};
use crate::{
    enrich::bounds,
    event::{ContainerMetadata, Runtime},
};

/// Asks for a container of a namespace and its image.
pub(super) async fn containerd(
    socket: &Path,
    namespace: &str,
    id: &str,
) -> Result<ContainerMetadata, EngineError> {
    let ask = ById { id: id.to_owned(), verbose: false };
    let method = "/containerd.services.containers.v1.Containers/Get";
    let answer: GetContainerResponse = call(socket, method, Some(namespace), &ask).await?;
    let from = answer.container.filter(|container| container.id == id);
    let from = from.ok_or_else(|| EngineError::Garbage("no container in the answer".to_owned()))?;
    let mut container = ContainerMetadata::new(id, Runtime::Containerd);
    // nerdctl gives names, ctr does not.
    container.name = from.labels.get("nerdctl/name").filter(|name| !name.is_empty()).cloned();
    if !from.image.is_empty() {
        container.set_image(&from.image);
        let method = "/containerd.services.images.v1.Images/Get";
        let ask = ById { id: from.image, verbose: false };
        let image = call::<_, GetImageResponse>(socket, method, Some(namespace), &ask).await;
        let target = image.ok().and_then(|answer| answer.image).and_then(|image| image.target);
        if let Some(digest) = target.map(|target| target.digest).filter(|digest| !digest.is_empty()) {
            container.image_digest = Some(digest);
        }
    }
    // A container can be made of a plain root file system: then it has no image, and that is known.
    let items = [
        &mut container.image,
        &mut container.image_repository,
        &mut container.image_tag,
        &mut container.image_digest,
        &mut container.ip,
    ];
    for item in items {
        item.get_or_insert_default();
    }
    bounds::set_labels(&mut container, from.labels);
    Ok(container)
}
