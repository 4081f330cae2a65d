cat > lengths.py <<'EOF'
import ebpf_faas

def on_event(event):
    count = int.from_bytes(event.state, "little") + 1
    event.state = count.to_bytes(8, "little")
    event.emit("seen", count=count, bytes=len(event.payload))

ebpf_faas.run(on_event)
EOF
cat > lengths.yaml <<'EOF'
workflow: lengths
version: "1"
triggers:
  readings:
    packet: {interfaces: [veth-gw], match: {protocol: udp, destination_port: 7001}}
    to: lengths
functions:
  lengths:
    exec: [python3, lengths.py]
    files: [lengths.py, ebpf_faas.py]     # the latter comes with ebpf-faas
    key: source_address
    state_bytes: 8
    fields: {seen: {count: u64, bytes: u64}}
    outputs: {seen: lines}
sinks:
  lines: {file: {path: /tmp/lengths.jsonl}}
EOF
ebpf-faas load --netns gw lengths.yaml
ip netns exec sensor bash -c 'echo hello > /dev/udp/10.1.0.1/7001'
ebpf-faas state list lengths lengths
ebpf-faas unload lengths
