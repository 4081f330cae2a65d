mkdir -p guard && cd guard
printf '%s\n' '203.0.113.0/24' '10.1.0.2/32   # the sensor above' > blocked.txt
cat > guard.yaml <<'EOF'
workflow: guard
version: "1"
triggers:
  everybody:
    packet: {interfaces: [veth-gw], match: {ethertype: [ipv4, ipv6]}}
    mode: observe
    to: blocked
  dns:
    packet: {interfaces: [veth-gw], match: {protocol: udp, destination_port: 53}}
    mode: observe
    to: fair
functions:
  blocked: {kernel: cidr, params: {list: blocked.txt}, outputs: {listed: drop, unlisted: pass}}
  fair: {kernel: rate_limit, params: {rate: 20, burst: 40}, outputs: {within: pass, over: drop}}
EOF
ebpf-faas load --netns gw guard.yaml
ip netns exec sensor bash -c 'for i in {1..100}; do echo > /dev/udp/10.1.0.1/53; done; echo > /dev/udp/10.1.0.1/9'
ebpf-faas status guard    # of those that passed, about 60 would have been dropped ...
