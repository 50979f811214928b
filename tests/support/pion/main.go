// A peer of WebRTC that pion makes: "watch URL" counts the pictures that it gets over WHEP, "publish URL FILE" sends a
// file of H264 (Annex B, 25 pictures a second) by WHIP until it is ended.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
)

const pictures = 50

func main() {
	log.SetFlags(0)
	peer, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	check(err)
	switch os.Args[1] {
	case "watch":
		watch(peer, os.Args[2])
	case "publish":
		publish(peer, os.Args[2], os.Args[3])
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// connect offers over HTTP, with all candidates in the offer, and takes the answer.
func connect(peer *webrtc.PeerConnection, url string) {
	offer, err := peer.CreateOffer(nil)
	check(err)
	gathered := webrtc.GatheringCompletePromise(peer)
	check(peer.SetLocalDescription(offer))
	<-gathered
	response, err := http.Post(url, "application/sdp", bytes.NewBufferString(peer.LocalDescription().SDP))
	check(err)
	answer, err := io.ReadAll(response.Body)
	check(err)
	if response.StatusCode != http.StatusCreated {
		log.Fatalf("%s: %s", response.Status, answer)
	}
	check(peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}))
}

func watch(peer *webrtc.PeerConnection, url string) {
	_, err := peer.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	check(err)
	peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		count, keyframes := 0, 0
		var unpacker codecs.H264Packet
		for count < pictures {
			packet, _, err := track.ReadRTP()
			check(err)
			units, err := unpacker.Unmarshal(packet.Payload)
			check(err)
			if len(units) > 4 && units[4]&31 == 5 {
				keyframes++
			}
			if packet.Marker {
				count++
			}
		}
		fmt.Println(track.Codec().MimeType, "pictures", count, "keyframes", keyframes)
		check(peer.Close())
		os.Exit(0)
	})
	connect(peer, url)
	time.Sleep(15 * time.Second)
	log.Fatal("too few pictures came")
}

func publish(peer *webrtc.PeerConnection, url, path string) {
	codec := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}
	track, err := webrtc.NewTrackLocalStaticSample(codec, "video", "pion")
	check(err)
	_, err = peer.AddTrack(track)
	check(err)
	connected := make(chan struct{})
	peer.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			close(connected)
		}
	})
	connect(peer, url)
	<-connected
	ticks := time.NewTicker(40 * time.Millisecond)
	for {
		file, err := os.Open(path)
		check(err)
		reader, err := h264reader.NewReader(file)
		check(err)
		for unit, err := reader.NextNAL(); err == nil; unit, err = reader.NextNAL() {
			isPicture := unit.UnitType == h264reader.NalUnitTypeCodedSliceIdr ||
				unit.UnitType == h264reader.NalUnitTypeCodedSliceNonIdr
			sample := media.Sample{Data: unit.Data}
			if isPicture {
				<-ticks.C
				sample.Duration = 40 * time.Millisecond
			}
			check(track.WriteSample(sample))
		}
		check(file.Close())
	}
}
