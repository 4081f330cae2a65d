import ebpf_faas

def on_event(event):
    count = int.from_bytes(event.state, "little") + 1
    event.state = count.to_bytes(8, "little")
    event.emit("seen", count=count, bytes=len(event.payload))

ebpf_faas.run(on_event)
