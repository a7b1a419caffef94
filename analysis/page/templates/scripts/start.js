/* ---- All of it, once the page is there. ---- */

if (subjects.some(known)) for (const place of document.querySelectorAll(".find")) search(place);
if (subjects.length > 1) for (const place of document.querySelectorAll(".compare")) comparer(place);
for (const word of document.querySelectorAll(".scripted")) word.hidden = false;
document.body.classList.add("scripts");
keepHeight("--bar", ".bar");
keepHeight("--subject-bar", ".subject-bar");
follow();
