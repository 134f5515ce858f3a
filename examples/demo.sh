#!/bin/sh
# From images to edits: what `make demo` runs. The same verbs work on a folder of your own images (data=photos/).
set -eu
unweave=${1:-unweave}
run=${2:-runs/demo}

"$unweave" train configs/encdiff_rooms_laptop.toml --run "$run" --resume
"$unweave" evaluate "$run" --repeats 2
for verb in swap traverse reconstruct heatmap; do
    "$unweave" edit "$verb" "$run" --output "$run/pictures/$verb.png" --overwrite
done
for verb in swap traverse; do  # the same with the model in the package, which was trained for longer
    "$unweave" edit "$verb" builtin:rooms --output "$run/pictures/shipped-$verb.png" --overwrite
done
"$unweave" info "$run" --picture "$run/pictures/loss.png" --overwrite > /dev/null

echo
echo "The run is in $run; the pictures are in $run/pictures:"
echo "  swap.png         one unit at a time from a partner image"
echo "  traverse.png     every unit from low to high (traverse.gif moves)"
echo "  heatmap.png      which unit moves which pixels"
echo "  reconstruct.png  what the units hold alone"
echo "  loss.png         the training loss"
echo "  shipped-swap.png, shipped-traverse.png: the trained model in the package, builtin:rooms"
echo "Next: $unweave edit swap $run 12 --partners 400000 --units 0    or: $unweave train encdiff data=YOUR_FOLDER"
