/** A video element as players begin with it. */
export function makeVideo() {
  const video = document.createElement("video");
  video.controls = true;
  video.playsInline = true;
  video.preload = "auto";
  video.style.cssText = "display:block;width:100%;height:100%";
  return video;
}

/** What a video element shows, and how well. */
export function videoFigures(video) {
  const quality = video?.getVideoPlaybackQuality?.();
  return {
    width: video?.videoWidth ?? 0,
    height: video?.videoHeight ?? 0,
    decoded: quality?.totalVideoFrames ?? 0,
    dropped: quality?.droppedVideoFrames ?? 0,
    rate: video?.playbackRate ?? 1,
  };
}
