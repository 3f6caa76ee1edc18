#!/bin/sh
# trigger.sh DEVICE NAME JSON: asks the control socket of a device's server, on the host, for something.
# This is what a user gives to --trigger-command inside a guest. A shell, because each one is started anew.
device=$1 name=$2 arguments=${3:-'{}'}
rest=${arguments#\{}
[ "$rest" = "}" ] || rest=", $rest"
exec 3<>/dev/virtio-ports/uvirtio.host
printf '{"do": "trigger", "device": "%s", "message": {"do": "%s"%s}\n' "$device" "$name" "$rest" >&3
read -r answer <&3
case $answer in
*'"error"'*) echo "$answer" >&2; exit 1 ;;
esac
if [ "$name" = available ]; then
    printf '%s\n' "$answer" | tr -c 'a-z_\n' ' '
fi
